"""What is drawn: amounts as text, and charts as shapes that templates put into SVG. Pure: no request, database or clock."""
