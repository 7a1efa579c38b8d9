//! Holds nothing: the tests beside it are programs that are right or wrong.
