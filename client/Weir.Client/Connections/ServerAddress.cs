using System.Globalization;

namespace Weir.Client.Connections;

/// <summary>Where a broker listens.</summary>
internal readonly record struct ServerAddress(string Host, int Port)
{
    public override string ToString() => Host.Contains(':') ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    /// <summary>Parses <c>HOST:PORT[,HOST:PORT...]</c>.</summary>
    public static bool TryParseList(string? text, out ServerAddress[] addresses, out string fault)
    {
        var found = new List<ServerAddress>();
        fault = string.Empty;
        foreach (var part in (text ?? string.Empty).Split(',', StringSplitOptions.TrimEntries))
        {
            if (!TryParse(part, out var address))
            {
                fault = $"'{part}' is not HOST:PORT";
                break;
            }

            found.Add(address);
        }

        addresses = [.. found];
        return fault.Length == 0;
    }

    private static bool TryParse(string text, out ServerAddress address)
    {
        address = default;
        var colon = text.LastIndexOf(':');
        if (colon <= 0
            || !int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            || port is < 1 or > 65535)
        {
            return false;
        }

        var host = text[..colon];
        if (host.StartsWith('[') && host.EndsWith(']'))
        {
            host = host[1..^1];
        }
        else if (host.Contains(':'))
        {
            return false;
        }

        address = new ServerAddress(host, port);
        return host.Length > 0;
    }
}
