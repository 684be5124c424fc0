"""Networks: windows of features and account rows in, numbers for actions and values out. No reinforcement learning here."""
