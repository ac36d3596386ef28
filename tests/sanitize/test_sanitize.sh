#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# fare-test: labels=sanitize timeout=900
# Whole studies on two ranks under the sanitizers, where this build has them.
exec "$(dirname "$0")/run.sh" "$FARE_BINARY_DIR"
