using Weir.Cluster.Tests.Harness;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Cluster.Tests;

/// <summary>
/// An ext4 file system of its own in a file, which can be filled and can lose power alone. Needs root. Dispose unmounts
/// and removes it.
/// </summary>
public sealed class LoopFileSystem : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private readonly Lease? _lease;
    private readonly string _directory;
    private readonly string _image;

    /// <summary>Creates one outside of a cluster.</summary>
    public LoopFileSystem(int megabytes)
        : this(TakeLease(), megabytes)
    {
    }

    /// <summary>Creates one below a directory that another owns.</summary>
    public LoopFileSystem(string directory, int megabytes)
    {
        Machine.RequireRoot();
        Machine.RequireTool("mkfs.ext4");
        _directory = directory;
        _image = Path.Combine(directory, "image");
        MountPoint = Directory.CreateDirectory(Path.Combine(directory, "mount")).FullName;
        using (var file = File.Create(_image))
        {
            file.SetLength(megabytes * 1024L * 1024);
        }

        Machine.Run("mkfs.ext4", "-q", "-m", "0", _image);
        Mount();
    }

    private LoopFileSystem(Lease lease, int megabytes)
        : this(lease.Directory, megabytes) => _lease = lease;

    public string MountPoint { get; }

    public bool IsMounted => Mounts(MountPoint).Any();

    private string Filler => Path.Combine(MountPoint, "filler");

    public void Mount() => Machine.Run("mount", "-o", "loop", _image, MountPoint);

    /// <summary>
    /// Returns when the file system is gone. A process that has mounts of its own may have a copy of this one: what is
    /// mounted before that is let go would be the same file system, still without power.
    /// </summary>
    public void Unmount()
    {
        Unmount(MountPoint);
        Assert.True(
            SpinWait.SpinUntil(() => Machine.Run("losetup", "--associated", _image).Length == 0, Patience),
            $"somebody else still has {MountPoint} mounted");
    }

    /// <summary>Everything that was not synced is gone; every call fails until it is unmounted and mounted.</summary>
    public void CutPower() => Machine.CutPower(MountPoint);

    /// <summary>
    /// As <see cref="CutPower"/>, but of what was not synced some pages had been written, chosen at random, in files and
    /// names alike. Nobody may write meanwhile.
    /// </summary>
    public void CutPowerTorn(SeededRandom random)
    {
        foreach (var file in Directory.GetFiles(MountPoint, "*", SearchOption.AllDirectories))
        {
            Machine.WriteBack(file, _ => random.Chance(1, 2));
        }

        Machine.CutPower(MountPoint, keepsJournal: random.Chance(1, 2));
    }

    /// <summary>Takes all free space but this, also while others write.</summary>
    public void Fill(long leaveBytes = 0)
    {
        const int nearlyBytes = 4 * 1024 * 1024;
        var free = new DriveInfo(MountPoint).AvailableFreeSpace;
        Machine.Run("fallocate", "-l", $"{Math.Max(free - nearlyBytes, 4096)}", Filler);
        using var filler = new FileStream(Filler, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            while (true)
            {
                filler.Write(new byte[4096]);
            }
        }
        catch (IOException)
        {
            filler.SetLength(filler.Length - leaveBytes);
        }
    }

    /// <summary>Gives back what <see cref="Fill"/> took.</summary>
    public void Unfill() => File.Delete(Filler);

    public void Dispose()
    {
        UnmountAll(MountPoint);
        Directory.Delete(_directory, recursive: true);
        _lease?.Dispose();
    }

    /// <summary>Unmounts everything whose mount point begins with this.</summary>
    internal static void UnmountAll(string prefix)
    {
        foreach (var mount in Mounts(prefix).ToList())
        {
            Unmount(mount);
        }
    }

    /// <summary>A process that is dead, or one that only looked, may keep the kernel from it for a moment.</summary>
    private static void Unmount(string mount)
    {
        var refusal = string.Empty;
        Assert.True(SpinWait.SpinUntil(() => Machine.TryRun(out refusal, "umount", mount), Patience), refusal);
    }

    /// <summary>A test that is skipped for want of root must not keep one.</summary>
    private static Lease TakeLease()
    {
        Machine.RequireRoot();
        Machine.RequireTool("mkfs.ext4");
        return Lease.Take();
    }

    private static IEnumerable<string> Mounts(string prefix) =>
        File.ReadLines("/proc/self/mounts").Select(static line => line.Split(' ')[1])
            .Where(mount => mount.StartsWith(prefix, StringComparison.Ordinal));
}
