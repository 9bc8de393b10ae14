"""What keeps footage for a case: holds, and later requests and exports."""
