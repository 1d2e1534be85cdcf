"""Studies of the design space around the array: how weights, inputs and outputs meet it, and what that costs."""
