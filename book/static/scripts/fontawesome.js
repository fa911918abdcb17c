// Stands in for the theme's script of this name, 1.5 MB that draw icons which its style sheet draws too.
