import type { HttpBindings } from '@hono/node-server';
import {
  type Attributes,
  context,
  defaultTextMapGetter,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type { MiddlewareHandler } from 'hono';

const tracer = trace.getTracer('@tokenmesh/token-exchange');

/** Those of RFC 9110 and RFC 5789: a caller may write anything for a method. */
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']);

/**
 * A server span for every request, in the trace of its caller, by OpenTelemetry's stable conventions for HTTP; handlers run with it active. It holds
 * nothing that a caller wrote and nobody verified: no query and no header, of methods and paths those that there are, and this server's address as
 * it is configured. Requests that Node refuses before there is one to answer have none.
 *
 * @param url Where clients reach the server, `https`.
 * @param endpoints The paths that are served.
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 */
export function traceRequests(url: string, endpoints: readonly string[]): MiddlewareHandler<{ readonly Bindings: HttpBindings }> {
  const server = serverAttributes(url);
  return async (c, next) => {
    const method = methods.has(c.req.method) ? c.req.method : '_OTHER';
    const route = endpoints.find((endpoint) => endpoint === c.req.path);
    const name = [method === '_OTHER' ? 'HTTP' : method, ...(route ? [route] : [])].join(' ');
    const attributes = { ...server, 'http.request.method': method, 'url.path': route ?? 'REDACTED', ...(route && { 'http.route': route }) };
    const parent = propagation.extract(ROOT_CONTEXT, c.env.incoming.headers, defaultTextMapGetter);
    const span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
    await context.with(trace.setSpan(parent, span), next);
    endSpan(span, c.res.status);
  };
}

function serverAttributes(url: string): Attributes {
  const { hostname, port } = new URL(url);
  return { 'url.scheme': 'https', 'server.address': hostname.replace(/^\[|\]$/g, ''), 'server.port': Number(port || 443) };
}

function endSpan(span: Span, status: number): void {
  span.setAttribute('http.response.status_code', status);
  if (status >= 500) span.setAttribute('error.type', String(status)).setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
