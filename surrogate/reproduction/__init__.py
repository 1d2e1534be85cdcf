"""The published comparison for any network: software, deployed, control, noise injection, retrained through arrays."""
