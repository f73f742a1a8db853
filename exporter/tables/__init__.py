"""What a row is: the tables' Arrow schemas, the contract with readers."""
