"""omsnode: an open radio node for the Open Metering System (EN 13757 wireless M-Bus)."""
