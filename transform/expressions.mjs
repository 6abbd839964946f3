// What binaryen says of the expressions that asc writes.

/** What there is to say of an expression. */
export function infoOf(binaryen, expression) {
  const id = binaryen.getExpressionId(expression);
  // There is nothing to say of these, and binaryen says so by failing.
  const isBare = id === binaryen.UnreachableId || id === binaryen.NopId;
  return isBare ? { id } : binaryen.getExpressionInfo(expression);
}

/** What there is to say of every function of a module, those that it imports too. */
export function functionInfos(module, binaryen) {
  return Array.from({ length: module.getNumFunctions() }, (_, i) =>
    binaryen.getFunctionInfo(module.getFunctionByIndex(i)),
  );
}

/** For each kind of expression that asc writes what is inside, in the order in which it happens; others are not known. */
export function childrenOf(binaryen) {
  const none = () => [];
  return {
    [binaryen.BlockId]: (info) => info.children,
    [binaryen.IfId]: (info) => [info.condition, info.ifTrue, info.ifFalse],
    [binaryen.LoopId]: (info) => [info.body],
    [binaryen.BreakId]: (info) => [info.condition, info.value],
    [binaryen.SwitchId]: (info) => [info.condition, info.value],
    [binaryen.CallId]: (info) => info.operands,
    [binaryen.CallIndirectId]: (info) => [...info.operands, info.target],
    [binaryen.LocalGetId]: none,
    [binaryen.LocalSetId]: (info) => [info.value],
    [binaryen.GlobalGetId]: none,
    [binaryen.GlobalSetId]: (info) => [info.value],
    [binaryen.LoadId]: (info) => [info.ptr],
    [binaryen.StoreId]: (info) => [info.ptr, info.value],
    [binaryen.ConstId]: none,
    [binaryen.UnaryId]: (info) => [info.value],
    [binaryen.BinaryId]: (info) => [info.left, info.right],
    [binaryen.SelectId]: (info) => [info.ifTrue, info.ifFalse, info.condition],
    [binaryen.DropId]: (info) => [info.value],
    [binaryen.ReturnId]: (info) => [info.value],
    [binaryen.NopId]: none,
    [binaryen.UnreachableId]: none,
    [binaryen.MemorySizeId]: none,
    [binaryen.MemoryGrowId]: (info) => [info.delta],
    [binaryen.MemoryCopyId]: (info) => [info.dest, info.source, info.size],
    [binaryen.MemoryFillId]: (info) => [info.dest, info.value, info.size],
  };
}
