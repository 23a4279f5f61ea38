"""Who is measured: this library and those that people would use instead, behind one small face."""
