using Weir.Storage.Files;

namespace Weir.Testing.Support.Disk;

/// <summary>All parts of one simulated disk, under one lock.</summary>
internal sealed class DiskState(NameTree names)
{
    public Lock Gate { get; } = new();

    public NameTree Names { get; } = names;

    public FileSpace Space { get; } = new();

    public StepGate Steps { get; } = new();

    public FileNode RequireFile(string operation, string path) =>
        Names.Find(path) as FileNode ?? throw Refusal(operation, path, "No such file.");

    public DirectoryNode RequireDirectory(string operation, string path) =>
        Names.FindDirectory(path) ?? throw Refusal(operation, path, "No such directory.");

    public FileNode CreateFile(string path)
    {
        var slot = Names.Slot("open", path);
        if (slot.Directory.Visible.ContainsKey(slot.Name))
        {
            throw Refusal("open", path, "The file exists.");
        }

        var step = Steps.Pass(DiskOperation.Create, path);
        var node = new FileNode(Names.NextId(), new PagedBytes());
        Names.Apply(new NameChange(step.Number, node, Removed: null, slot));
        return node;
    }

    public void CreateDirectory(string path)
    {
        var slot = Names.Slot("mkdir", path);
        switch (slot.Directory.Visible.GetValueOrDefault(slot.Name))
        {
            case DirectoryNode:
                return;
            case FileNode:
                throw Refusal("mkdir", path, "A file has this name.");
        }

        var step = Steps.Pass(DiskOperation.CreateDirectory, path);
        var node = new DirectoryNode(Names.NextId());
        Names.Apply(new NameChange(step.Number, node, Removed: null, slot));
    }

    public void DeleteDirectory(string path)
    {
        var node = Names.Find(path) as DirectoryNode ?? throw Refusal("rmdir", path, "No such directory.");
        if (node.Visible.Count > 0)
        {
            throw Refusal("rmdir", path, "The directory is not empty.");
        }

        var step = Steps.Pass(DiskOperation.DeleteDirectory, path);
        Names.Apply(new NameChange(step.Number, node, Names.Slot("rmdir", path), Added: null));
    }

    public void Delete(string path)
    {
        var node = RequireFile("unlink", path);
        var step = Steps.Pass(DiskOperation.Delete, path);
        Names.Apply(new NameChange(step.Number, node, Names.Slot("unlink", path), Added: null));
        Space.Unlink(node);
    }

    public void Rename(string from, string to)
    {
        var node = Names.Find(from) ?? throw Refusal("rename", from, "No such file.");
        var target = Names.Slot("rename", to);
        var replaced = target.Directory.Visible.GetValueOrDefault(target.Name);
        if (replaced == node)
        {
            return;
        }

        var isAllowed = (node, replaced) switch
        {
            (DirectoryNode, _) when to.StartsWith(from + '/', StringComparison.Ordinal) => false,
            (_, null) or (FileNode, FileNode) => true,
            (DirectoryNode, DirectoryNode { Visible.Count: 0 }) => true,
            _ => false,
        };
        if (!isAllowed)
        {
            throw Refusal("rename", from, $"It cannot take the place of '{to}'.");
        }

        var step = Steps.Pass(DiskOperation.Rename, from);
        Names.Apply(new NameChange(step.Number, node, Names.Slot("rename", from), target));
        if (replaced is FileNode file)
        {
            Space.Unlink(file);
        }
    }

    /// <summary>The state that a power loss leaves.</summary>
    public DiskState CrashImage(ulong seed, CrashMode? mode)
    {
        var sequences = Names.Pending.Select(c => c.Sequence)
            .Concat(Space.Unsynced.Select(c => c.Sequence))
            .Order()
            .ToList();
        var choices = new CrashChoices(seed, mode, sequences);
        var files = new List<FileNode>();
        var names = Names.CrashImage(choices, file =>
        {
            var copy = new FileNode(file.Id, file.CrashImage(choices.ForFile(file.Id)));
            files.Add(copy);
            return copy;
        });
        var image = new DiskState(names);
        image.Space.Capacity = Space.Capacity;
        files.ForEach(image.Space.Adopt);
        return image;
    }

    public static LogIoException SyncFailure(string operation, string path) =>
        new(operation, path, isDiskFull: false, "Simulated input/output error.");

    private static LogIoException Refusal(string operation, string path, string reason) =>
        new(operation, path, isDiskFull: false, reason);
}
