"""Whatever others may hand us, given to each reader: understood, or refused as it is documented."""
