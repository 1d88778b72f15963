"""Forward operators and degradations of CT, MR and ultrasound."""
