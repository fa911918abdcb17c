"""Where preparation finds the striata, also of spoilt exams, and how fast beside others."""
