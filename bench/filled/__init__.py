"""A database as large as a busy institute's after years, made in minutes, and how long its list pages take."""
