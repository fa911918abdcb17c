"""What the networks that ship with the kit give someone with few labelled exams."""
