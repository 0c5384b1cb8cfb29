"""What is measured: each case runs one peer once and returns its figures."""
