using Weir.Storage.Files;
using Weir.Testing.Support.Disk;

namespace Weir.Testing.Support;

/// <summary>
/// A disk in memory that keeps apart what programs see and what survives power loss. <see cref="CrashImage"/> makes the
/// disk that the next start would find, by a seed; any number of images can be taken from one moment.
/// </summary>
/// <remarks>
/// Within one file's metadata and within one name, changes survive in order; sectors, files and names are otherwise
/// independent of each other. A sector survives in a state that the page cache had after some write, never as a mixture.
/// </remarks>
public sealed class SimulatedDisk : ILogFiles
{
    private readonly DiskState _state;

    /// <summary>Creates an empty disk.</summary>
    public SimulatedDisk()
        : this(new DiskState(new NameTree(new DirectoryNode(0), nextId: 1)))
    {
    }

    private SimulatedDisk(DiskState state) => _state = state;

    /// <inheritdoc/>
    public bool CanSyncAll { get; init; } = true;

    /// <summary>The bytes that all files together may take, by their lengths.</summary>
    public long Capacity
    {
        get => _state.Space.Capacity;
        set => _state.Space.Capacity = value;
    }

    /// <inheritdoc/>
    public long FreeBytes => WithPower(() => _state.Space.FreeBytes);

    /// <summary>
    /// Called before each mutating operation, inside the disk's lock; what it throws takes the operation's place.
    /// </summary>
    public Action<DiskStep>? BeforeStep
    {
        get => _state.Steps.BeforeStep;
        set => _state.Steps.BeforeStep = value;
    }

    /// <summary>How many mutating operations ran or failed; the next one has this number plus 1.</summary>
    public long StepCount => _state.Steps.Count;

    /// <summary>Whether the power is gone and every operation throws <see cref="PowerLossException"/>.</summary>
    public bool IsOff => _state.Steps.IsOff;

    /// <summary>Cuts the power before step <paramref name="number"/> (the first is 1) changes anything.</summary>
    public void CutPowerAtStep(long number) => _state.Steps.CutAtStep = number;

    /// <summary>Cuts the power now.</summary>
    public void CutPower() => _state.Steps.IsOff = true;

    /// <summary>
    /// Fails every sync (of a file, a directory, or all) that the predicate selects. What it should have made durable
    /// counts as written from then on, as on ext4: later syncs succeed, and the next power loss may still take it.
    /// </summary>
    public void FailSync(Func<DiskStep, bool> when) => _state.Steps.SyncFails = when;

    /// <summary>Fails the next sync of a file opened by this path or of the directory with it; then syncs succeed.</summary>
    public void FailSyncOnce(string path) => FailSync(step =>
    {
        if (step.Path != path)
        {
            return false;
        }

        HealSync();
        return true;
    });

    /// <summary>Lets syncs succeed again.</summary>
    public void HealSync() => _state.Steps.SyncFails = null;

    /// <summary>Flips a bit on the device and in the cache. A crash may restore it in a sector with unsynced writes.</summary>
    public void Rot(string path, long position, int bit)
    {
        lock (_state.Gate)
        {
            var file = _state.RequireFile("rot", path);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(position, file.Length);
            file.FlipBit(position, bit);
        }
    }

    /// <summary>Cuts the power and returns the disk that the next start finds.</summary>
    public SimulatedDisk Crash(ulong seed, CrashMode? mode = null)
    {
        CutPower();
        return CrashImage(seed, mode);
    }

    /// <summary>The disk that a power loss at this moment would leave; this disk goes on unchanged.</summary>
    /// <param name="seed">Decides what survives of each unsynced change.</param>
    /// <param name="mode">The kind of loss; null leaves that to the seed too.</param>
    public SimulatedDisk CrashImage(ulong seed, CrashMode? mode = null)
    {
        lock (_state.Gate)
        {
            return new SimulatedDisk(_state.CrashImage(seed, mode)) { CanSyncAll = CanSyncAll };
        }
    }

    /// <inheritdoc/>
    public ILogFile Open(string path, OpenKind kind)
    {
        LogPath.RequireBelowRoot(path);
        return WithPower(() =>
        {
            var node = kind == OpenKind.Create ? _state.CreateFile(path) : _state.RequireFile("open", path);
            node.OpenHandles++;
            return new SimulatedFile(_state, node, path, isWritable: kind != OpenKind.Read);
        });
    }

    /// <inheritdoc/>
    public bool FileExists(string path)
    {
        LogPath.RequireBelowRoot(path);
        return WithPower(() => _state.Names.Find(path) is FileNode);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> ListFiles(string directory) => List<FileNode>(directory);

    /// <inheritdoc/>
    public IReadOnlyList<string> ListDirectories(string directory) => List<DirectoryNode>(directory);

    /// <inheritdoc/>
    public void CreateDirectory(string directory)
    {
        LogPath.RequireDirectory(directory);
        WithPower(() =>
        {
            for (var end = 0; end >= 0 && directory.Length > 0;)
            {
                end = directory.IndexOf('/', end + 1);
                _state.CreateDirectory(end < 0 ? directory : directory[..end]);
            }
        });
    }

    /// <inheritdoc/>
    public void DeleteDirectory(string directory)
    {
        LogPath.RequireBelowRoot(directory);
        WithPower(() => _state.DeleteDirectory(directory));
    }

    /// <inheritdoc/>
    public void Delete(string path)
    {
        LogPath.RequireBelowRoot(path);
        WithPower(() => _state.Delete(path));
    }

    /// <inheritdoc/>
    public void Rename(string from, string to)
    {
        LogPath.RequireBelowRoot(from);
        LogPath.RequireBelowRoot(to);
        WithPower(() => _state.Rename(from, to));
    }

    /// <inheritdoc/>
    public void SyncDirectory(string directory)
    {
        LogPath.RequireDirectory(directory);
        WithPower(() =>
        {
            var node = _state.RequireDirectory("fsync", directory);
            if (_state.Steps.PassSync(DiskOperation.SyncDirectory, directory))
            {
                _state.Names.FailToPersist(c => c.Touches(node));
                throw DiskState.SyncFailure("fsync", directory);
            }

            _state.Names.Persist(c => c.Touches(node));
        });
    }

    /// <inheritdoc/>
    public void SyncAll()
    {
        if (!CanSyncAll)
        {
            throw new NotSupportedException("This disk was made without SyncAll; see CanSyncAll.");
        }

        WithPower(() =>
        {
            var fails = _state.Steps.PassSync(DiskOperation.SyncAll, "");
            _state.Space.SyncAll(fails);
            if (fails)
            {
                _state.Names.FailToPersist(_ => true);
                throw DiskState.SyncFailure("syncfs", "");
            }

            _state.Names.Persist(_ => true);
        });
    }

    private string[] List<TNode>(string directory)
    {
        LogPath.RequireDirectory(directory);
        return WithPower(() => _state.Names.FindDirectory(directory) is { } node
            ? node.Visible.Where(entry => entry.Value is TNode).Select(entry => entry.Key).ToArray()
            : []);
    }

    private void WithPower(Action operation)
    {
        lock (_state.Gate)
        {
            _state.Steps.RequirePower();
            operation();
        }
    }

    private T WithPower<T>(Func<T> operation)
    {
        lock (_state.Gate)
        {
            _state.Steps.RequirePower();
            return operation();
        }
    }
}
