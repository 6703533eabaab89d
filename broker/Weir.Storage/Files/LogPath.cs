namespace Weir.Storage.Files;

/// <summary>The rules for paths below a data directory, shared by every <see cref="ILogFiles"/>.</summary>
public static class LogPath
{
    /// <summary>Refuses what is not a relative path of a file or directory below the data directory.</summary>
    /// <exception cref="ArgumentException">Rooted, empty, or with a part that is empty, "." or "..".</exception>
    public static void RequireBelowRoot(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);

        // '\' and ':' are refused everywhere, so that a path cannot mean more on Windows than it does on Linux.
        if (path.AsSpan().ContainsAny('\\', ':', '\0'))
        {
            throw new ArgumentException($"'{path}' holds a character that is not allowed in a path.", nameof(path));
        }

        foreach (var range in path.AsSpan().Split('/'))
        {
            if (path.AsSpan()[range] is "" or "." or "..")
            {
                throw new ArgumentException($"'{path}' is not a path below the data directory.", nameof(path));
            }
        }
    }

    /// <summary>As <see cref="RequireBelowRoot"/>, but "" is allowed: the data directory itself.</summary>
    public static void RequireDirectory(string directory)
    {
        ArgumentNullException.ThrowIfNull(directory);
        if (directory.Length > 0)
        {
            RequireBelowRoot(directory);
        }
    }
}
