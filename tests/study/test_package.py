#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The Python package by its own tests (postproc/tests), where pytest, xarray and pandas are installed.
fare-test: labels=study timeout=600
"""
import importlib.util
import os
import subprocess
import sys

from launch import ENVIRONMENT, SOURCE

missing = [name for name in ("pytest", "xarray", "pandas") if importlib.util.find_spec(name) is None]
if missing:
    print(f"skipped: this Python has no {', '.join(missing)}")
    sys.exit(77)
words = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(SOURCE / "postproc")]
environment = {**ENVIRONMENT, "PYTHONPATH": f"{SOURCE / 'postproc'}:{os.environ.get('PYTHONPATH', '')}"}
sys.exit(subprocess.run([*words, *sys.argv[1:]], env=environment, check=False).returncode)
