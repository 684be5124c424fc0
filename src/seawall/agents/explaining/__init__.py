"""What a trained network looks at: gradients, occlusion and attention, taken of the networks behind policies."""
