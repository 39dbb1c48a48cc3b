"""What exists and what is wanted: series, policies, body parts, cohort, split plan. Pure tables in, tables out."""
