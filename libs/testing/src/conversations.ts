import { keepDocument } from './document.ts';
import type { Town } from './town.ts';

const HEAD = `# Conversations

Every conversation that the server can have with a phone, as the tests hold it (\`test/conversations.e2e.ts\` writes this page). \`→\` is a
text that the person sends, \`←\` one that they get. Codes and references differ each time; here they are always 493817 and 4K7MPQX.
`;

/** Collects what people texted in each test, for docs/conversations.md. */
export class ConversationBook {
  readonly #chapters: string[] = [];

  /** Takes what was said in `town` since the last chapter. */
  chapter(title: string, town: Town): void {
    const lines = town.conversation
      .splice(0)
      .map(({ who, direction, body }) => `${who} ${direction === 'sends' ? '→' : '←'} ${fold(body)}`);
    this.#chapters.push(`\n## ${title[0]?.toUpperCase()}${title.slice(1)}\n\n\`\`\`\n${lines.join('\n')}\n\`\`\`\n`);
  }

  write(): void {
    keepDocument('docs/conversations.md', HEAD + this.#chapters.join(''));
  }
}

/** What differs each time, made the same; what cannot be printed, made visible. */
const fold = (body: string) =>
  body
    .replace(/\b(?!(\d)\1{5}\b)\d{6}\b/g, '493817')
    .replace(/\b\d{9}\b/g, '493817265')
    .replace(/\b[2-9A-HJKMNP-TV-Z]{7}\b/g, '4K7MPQX')
    .replace(/\d{4}-\d{2}-\d{2}/g, '2026-11-25')
    .replaceAll('\n', '\n      ')
    .replace(/(?!\n)[\p{Cc}\p{Cf}]/gu, (character) => `\\u${character.codePointAt(0)?.toString(16).padStart(4, '0')}`)
    .replace(/^(.{200}).+$/su, '$1…');
