using Weir.Storage.Files;

namespace Weir.Testing.Support.Disk;

/// <summary>The directories and names of a disk, and the changes of names that are not durable.</summary>
internal sealed class NameTree(DirectoryNode root, long nextId)
{
    private readonly List<NameChange> _pending = [];
    private long _nextId = nextId;

    public DirectoryNode Root { get; } = root;

    public IReadOnlyList<NameChange> Pending => _pending;

    public long NextId() => _nextId++;

    public DirectoryNode? FindDirectory(string path) => path.Length == 0 ? Root : Find(path) as DirectoryNode;

    public Node? Find(string path)
    {
        Node? node = Root;
        foreach (var part in path.Split('/'))
        {
            node = (node as DirectoryNode)?.Visible.GetValueOrDefault(part);
        }

        return node;
    }

    /// <summary>The place of a path in its parent, which must exist.</summary>
    public NameSlot Slot(string operation, string path)
    {
        var split = path.LastIndexOf('/');
        var parent = FindDirectory(split < 0 ? "" : path[..split])
            ?? throw new LogIoException(operation, path, isDiskFull: false, "No such directory.");
        return new NameSlot(parent, path[(split + 1)..]);
    }

    /// <summary>Changes what programs see; the change stays pending until it is persisted.</summary>
    public void Apply(NameChange change)
    {
        if (change.Removed is { } removed)
        {
            removed.Directory.Visible.Remove(removed.Name);
        }

        if (change.Added is { } added)
        {
            added.Directory.Visible[added.Name] = change.Node;
        }

        _pending.Add(change);
    }

    public void Persist(Func<NameChange, bool> selected)
    {
        var kept = WithDependencies(c => !c.IsClean && selected(c));
        foreach (var change in kept)
        {
            Write(change, directory => directory.Durable);
        }

        var done = kept.ToHashSet(ReferenceEqualityComparer.Instance);
        _pending.RemoveAll(done.Contains);
    }

    public void FailToPersist(Func<NameChange, bool> selected)
    {
        foreach (var change in _pending.Where(selected))
        {
            change.IsClean = true;
        }
    }

    /// <summary>The tree a power loss leaves; files are made by <paramref name="image"/>.</summary>
    public NameTree CrashImage(CrashChoices choices, Func<FileNode, FileNode> image)
    {
        var left = new Dictionary<DirectoryNode, SortedDictionary<string, Node>>();
        SortedDictionary<string, Node> Entries(DirectoryNode directory)
        {
            if (!left.TryGetValue(directory, out var entries))
            {
                left[directory] = entries = new(directory.Durable, StringComparer.Ordinal);
            }

            return entries;
        }

        foreach (var change in WithDependencies(choices.KeepsName))
        {
            Write(change, Entries);
        }

        DirectoryNode Copy(DirectoryNode directory)
        {
            var copy = new DirectoryNode(directory.Id);
            foreach (var (name, node) in Entries(directory))
            {
                copy.Durable[name] = node is DirectoryNode child ? Copy(child) : image((FileNode)node);
                copy.Visible[name] = copy.Durable[name];
            }

            return copy;
        }

        return new NameTree(Copy(Root), _nextId);
    }

    private static void Write(NameChange change, Func<DirectoryNode, SortedDictionary<string, Node>> entries)
    {
        if (change.Removed is { } removed)
        {
            entries(removed.Directory).Remove(removed.Name);
        }

        if (change.Added is { } added)
        {
            entries(added.Directory)[added.Name] = change.Node;
        }
    }

    // No file system writes a change of a name or of a file's place without the older ones of that name and file;
    // without this rule a file could come back under two names.
    private List<NameChange> WithDependencies(Func<NameChange, bool> selected)
    {
        var kept = new List<NameChange>();
        var slots = new HashSet<NameSlot>();
        var nodes = new HashSet<Node>();
        for (var i = _pending.Count - 1; i >= 0; i--)
        {
            var change = _pending[i];
            var isNeeded = nodes.Contains(change.Node)
                || (change.Removed is { } r && slots.Contains(r))
                || (change.Added is { } a && slots.Contains(a));
            if (!selected(change) && !isNeeded)
            {
                continue;
            }

            kept.Add(change);
            nodes.Add(change.Node);
            if (change.Removed is { } removed)
            {
                slots.Add(removed);
            }

            if (change.Added is { } added)
            {
                slots.Add(added);
            }
        }

        kept.Reverse();
        return kept;
    }
}
