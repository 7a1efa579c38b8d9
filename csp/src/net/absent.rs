//! Nothing: `csp::net` is for Unix. The library knows no event queue of this system.
