namespace Weir.Testing.Support.Disk;

/// <summary>A file or directory, independent of the names it has: an inode.</summary>
internal abstract class Node(long id)
{
    public long Id { get; } = id;
}

/// <summary>A directory: the names programs see, and those a power loss cannot take.</summary>
internal sealed class DirectoryNode(long id) : Node(id)
{
    public SortedDictionary<string, Node> Visible { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, Node> Durable { get; } = new(StringComparer.Ordinal);
}

/// <summary>A name in a directory.</summary>
internal readonly record struct NameSlot(DirectoryNode Directory, string Name);

/// <summary>A created, deleted or renamed name that power loss may undo; a rename is undone as a whole or not at all.</summary>
internal sealed record NameChange(long Sequence, Node Node, NameSlot? Removed, NameSlot? Added)
{
    /// <summary>A failed directory sync took it for written: no later sync of the directory writes it.</summary>
    public bool IsClean { get; set; }

    public bool Touches(DirectoryNode directory) => Removed?.Directory == directory || Added?.Directory == directory;
}
