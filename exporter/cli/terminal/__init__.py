"""What a person sees: the progress of a run, its summary, tables, figures and names in words."""
