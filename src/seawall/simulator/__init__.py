"""The only place where money moves: costs, the compiled kernel, action schemes, rewards and the decision desk."""
