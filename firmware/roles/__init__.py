"""What a node can be: meter, collector. State machines that return actions and hold no I/O."""
