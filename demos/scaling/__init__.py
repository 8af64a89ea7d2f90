"""`scratchnet scaling`: how test loss falls with parameters, data and compute."""
