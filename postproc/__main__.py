# SPDX-License-Identifier: BSD-2-Clause
"""`python3 postproc report DIR`: the package of this directory, whether it is installed or not. The command
`fare` starts Python this way.
"""
import sys

from fare.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
