/** A button for what cannot be undone: it wants a second press, and forgets the first when it is left. */

import { useState } from 'preact/hooks';

interface Props {
  /** What is lost, for who does not see the row. */
  readonly name: string;
  readonly onSure: () => void;
}

export function Delete({ name, onSure }: Props) {
  const [isSure, setSure] = useState(false);
  return (
    <button
      type="button"
      class="quiet sure"
      aria-label={isSure ? `Really delete ${name}` : `Delete ${name}`}
      onBlur={() => setSure(false)}
      onClick={() => {
        if (isSure) onSure();
        setSure(!isSure);
      }}
    >
      {isSure ? 'Really?' : 'Delete'}
    </button>
  );
}
