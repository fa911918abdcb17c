"""What endless patients give: a learning curve to thousands of simulated exams."""
