"""The report of an unblinded study: methods text, case flow, tables, figures and checklists in one HTML file."""
