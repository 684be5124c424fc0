"""Where bars come from: exchanges, brokers and files, each one module behind one protocol."""
