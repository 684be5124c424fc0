"""The compiled account: what an account holds, how orders fill, and one bar for N accounts."""
