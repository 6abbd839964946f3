//! The filters are in examples/, since a package has one library only.
