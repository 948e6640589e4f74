"""The command line `ecm`: its commands, its help, and `ecm localize`."""
