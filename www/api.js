// Shows this server's OpenAPI description: every operation with its parameters, body and answers.

import { element, setText } from './elements.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

async function show() {
  const answer = await fetch('/api/v1/openapi.json');
  const described = await answer.json();
  setText(document.getElementById('about'), described.info.description);
  const operations = Object.entries(described.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => operation(method, path, item[method], described)));
  document.getElementById('operations').replaceChildren(...operations);
}

function operation(method, path, about, described) {
  const parameters = (about.parameters ?? []).map(({ name, in: place, description, required }) =>
    element('li', {}, element('code', {}, name), ` (${place}${required ? '' : ', optional'}) ${description ?? ''}`));
  const answers = Object.entries(about.responses).map(([status, said]) =>
    element('li', {}, element('code', {}, status), ` ${said.description ?? ''} `, schema(said.content, described)));
  return element(
    'section',
    {},
    element('h2', {}, element('code', {}, `${method.toUpperCase()} ${path}`)),
    element('p', {}, [about.summary, about.description].filter(Boolean).join(' ')),
    parameters.length ? element('ul', {}, ...parameters) : '',
    about.requestBody ? element('p', {}, 'Body: ', schema(about.requestBody.content, described)) : '',
    element('ul', {}, ...answers),
  );
}

/** What a body holds: its type, and the fields of a type of this interface. */
function schema(content, described) {
  const [type, { schema: shape } = {}] = Object.entries(content ?? {})[0] ?? [];
  if (!type) return '';
  const name = (shape?.$ref ?? shape?.items?.$ref ?? '').split('/').pop();
  const fields = Object.entries(described.components?.schemas?.[name]?.properties ?? {}).map(([field, { description, type: kind }]) =>
    element('li', {}, element('code', {}, field), ` ${[kind].flat().filter(Boolean).join(' or ')} ${description ?? ''}`));
  if (fields.length === 0) return `${type} ${name}`;
  return element('details', {}, element('summary', {}, `${shape.items ? 'list of ' : ''}${name}`), element('ul', {}, ...fields));
}

show();
