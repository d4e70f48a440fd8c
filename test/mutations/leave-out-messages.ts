/** The part of Babel's path to a node that is looked at here. */
interface NodePath {
  readonly node: { readonly type: string; readonly value?: unknown; readonly callee?: { readonly name?: string } };
  readonly parentPath: NodePath | null;
}

/** What Stryker loads: its mutants leave out the wording of errors, on which nothing but a reader depends. Reasons (`TOKEN_EXPIRED`) stay. */
export const strykerPlugins = [{ kind: 'Ignore', name: 'messages', value: { shouldIgnore } }];

function shouldIgnore({ node, parentPath }: NodePath): string | undefined {
  const isText = node.type === 'TemplateLiteral' || (node.type === 'StringLiteral' && !/^[A-Z_]+$/.test(String(node.value)));
  return isText && isOfError(parentPath) ? 'the wording of an error' : undefined;
}

function isOfError(path: NodePath | null): boolean {
  if (path === null || path.node.type.includes('Function')) return false;
  const { type, callee } = path.node;
  return type === 'ThrowStatement' || (type === 'NewExpression' && callee?.name?.endsWith('Error') === true) || isOfError(path.parentPath);
}
