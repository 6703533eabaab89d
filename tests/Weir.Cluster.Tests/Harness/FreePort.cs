using System.Net;
using System.Net.Sockets;

namespace Weir.Cluster.Tests.Harness;

/// <summary>
/// Loopback ports that nobody listens on, chosen at random below those that systems take for outgoing connections: one stays
/// free until it is used, and while its process is down and clients try to reach it.
/// </summary>
internal static class FreePort
{
    public static int Find()
    {
        while (true)
        {
            using var listener = new TcpListener(IPAddress.Loopback, Random.Shared.Next(10_000, 30_000));
            try
            {
                listener.Start();
                return ((IPEndPoint)listener.LocalEndpoint).Port;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // Another one, then.
            }
        }
    }
}
