// Only needed inside of this repository, whose own configuration vitest would find otherwise.
export default {};
