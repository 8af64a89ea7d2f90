"""`python -m scratchnet` is the command `scratchnet`."""

import sys

from scratchnet.demos.command_line import main

sys.exit(main())
