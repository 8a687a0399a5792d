"""What happens around every call, whichever method it is: the observer is outside, the translator inside."""
