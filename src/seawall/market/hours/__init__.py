"""When a market trades: calendars, sessions, holidays, and the trading rules of known symbols."""
