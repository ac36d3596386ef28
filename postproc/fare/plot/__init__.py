# SPDX-License-Identifier: BSD-2-Clause
"""Figures of studies and of sweeps."""
