"""What trading costs: commissions, spread, slippage, financing and funding, by symbol."""
