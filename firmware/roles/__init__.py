"""What a node can be: meter, one that answers commands, collector, repeater, changer of a key. State machines that return actions and
hold no I/O."""
