//! Charts, from real Python with matplotlib.
